"""Model calls that flow code makes with a vendor's own library: noted like ours, and answered offline like ours."""
