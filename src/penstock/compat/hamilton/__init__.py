"""Hamilton's drivers, run by Penstock: change the import, keep the code."""
