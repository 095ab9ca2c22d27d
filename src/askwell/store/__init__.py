"""A campaign's memory: items, rounds, queries, label events. The only room that speaks SQL; it knows no torch."""
