"""Where requests meet the processor: the encoder and the threads that run it."""
