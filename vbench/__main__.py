"""`python -m vbench` is the same as `vbench`."""

from vbench.cli.app import main

if __name__ == "__main__":
    main()
