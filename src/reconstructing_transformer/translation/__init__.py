"""German to English with the Transformer of Part I: corpora, training, search and evaluation."""
