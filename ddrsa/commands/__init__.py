"""The Hydra applications of the command line. Hydra calls a job by the name of the module that its task is from."""
