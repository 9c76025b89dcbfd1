"""Reading the store: tables and plots."""
