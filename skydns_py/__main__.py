"""`python -m skydns_py`: the same as the console script."""

from skydns_py.cli import main

if __name__ == "__main__":
    main()
