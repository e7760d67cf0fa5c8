//! The waist: decoded events on one clock, and importers of other tools' files.
