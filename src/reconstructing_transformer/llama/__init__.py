"""LLaMA-2 (Touvron et al. 2023): the model, one component a file, and its fine-tuning by LoRA and QLoRA."""
