"""Chapter 20: two real series, forecast by networks and by what they have to beat."""
