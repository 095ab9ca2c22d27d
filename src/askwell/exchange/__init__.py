"""Labels in and out: records as CSV, JSONL, Label Studio tasks and class folders; predictions; what somebody's names mean. No torch."""
