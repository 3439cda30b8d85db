"""What is in `inside` runs in the virtual machines that `test_virtual_machines.py` boots, nowhere else."""

import os

collect_ignore = [] if os.environ.get("IN_VM_VIRTUALCAM") == "1" else ["inside"]
