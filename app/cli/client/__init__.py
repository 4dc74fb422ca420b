"""The commands that ask a service: a running one, or with `--local` one in this process."""
