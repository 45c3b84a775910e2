def full_name(place):
    return f"beacon of {place}"
