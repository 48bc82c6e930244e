"""Which of several weak teachers to trust on a domain that none of them saw: RAVEN (Jeon et al. 2025) and others."""
