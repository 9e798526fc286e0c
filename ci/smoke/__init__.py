"""The smoke stage: does the application work at all? pytest suites, run in processes of their own."""
