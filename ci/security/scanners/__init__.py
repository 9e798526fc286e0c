"""The code scan: wrapped scanners of the application's repository, each proving that it has examined something."""
