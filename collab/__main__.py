"""`python -m collab` is `collab`."""

from collab.cli import main

if __name__ == "__main__":
    main()
