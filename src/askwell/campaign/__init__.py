"""The loop: fit -> score -> ask -> record, resumable after anything; and the table of strategies."""
