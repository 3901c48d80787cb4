"""A guard against losses of speed: instructions of the processor for each task, which hardly differ from run to run."""
