"""``python -m napari_spheroseg.training FOLDER``: the process of a training run."""

import sys

from .process import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
