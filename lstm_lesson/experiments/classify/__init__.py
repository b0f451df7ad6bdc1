"""Chapter 21: sequences that have one label each, by recurrent networks and by baselines."""
