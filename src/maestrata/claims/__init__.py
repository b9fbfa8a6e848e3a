"""The paper's claims, one file each, found by name: what each says, what would sink it, and the verdict."""
