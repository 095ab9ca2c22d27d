"""Every random stream of a campaign, derived from its one seed."""

import hashlib


def derive_seed(seed: int, purpose: str, round_number: int = 0) -> int:
    """A 63-bit seed for one purpose in one round.

    The strategy takes no part in it, so that all strategies of one seed share the initial set, the weights and the masks, and
    comparisons are paired.
    """
    digest = hashlib.blake2b(f"{seed}/{purpose}/{round_number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
