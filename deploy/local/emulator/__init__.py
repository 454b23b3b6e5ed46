"""What runs inside the emulator's own virtual environment.

MiniStack asks for one exact botocore, so it cannot share the product's environment. The programs of this folder are
started by path, with that other interpreter, and import nothing of ours but each other.
"""
