"""Chapter 19: a text predicted character by character, by networks, n-grams and compressors."""
