"""Looking back at campaigns: do their labels serve another network (replay), and what were their scores worth (diagnose)?"""
