"""Part IV: LLaMA-2, rebuilt from its equations, and fine-tuned by adapters in four bits."""

import logging

# On some processors bitsandbytes, which peft imports too, advertises a faster kernel on standard error.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
