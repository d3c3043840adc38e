import sys
from pathlib import Path

# Worker processes import the fake tasks by name, as they would a plugin's.
sys.path.insert(0, str(Path(__file__).parent))
