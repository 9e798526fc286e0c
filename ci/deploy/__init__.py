"""Promotion as a transaction: the Vercel client, the table of phases, the journal, verification, rollback."""
