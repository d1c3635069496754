"""Part IV: LLaMA-2, rebuilt from its equations, and fine-tuned by adapters in four bits."""
