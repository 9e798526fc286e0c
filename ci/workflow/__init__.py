"""What the workflows of GitHub Actions run: one command per job, every decision in Python."""
