"""Names of the files of a sweep, beside the directories of its runs."""

# What Hydra composed for the sweep as a whole.
CONFIG = "multirun.yaml"
# The plan: the command, the code, each run with its config.
MANIFEST = "experiment_manifest.json"
# How each run ended.
RESULTS = "all_results.json"
LOG = "sweep.log"
# A folder of a search, with a file for each process that is at it.
OWNERS = ".searches"
# Touched by a launcher every few seconds, for machines that do not see its process.
HEARTBEAT = ".launcher"
# Held by the launcher that writes the files, of several.
RECORD_LOCK = ".record.lock"
