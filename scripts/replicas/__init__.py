"""The replicas of docker-compose.yml under load, while one of them is killed: `make replicas-check`."""
