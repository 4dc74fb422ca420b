"""The use-cases: verify, enroll, identify, embed, detect. They know no HTTP, no SQL and no torch."""
