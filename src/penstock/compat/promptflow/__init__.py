"""What `import promptflow…` gives a user's flow code: ``hook`` serves it, ``surface`` lists it."""
