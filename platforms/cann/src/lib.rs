//! What the two backends share: device, streams, memory, programs and launch over cann-sys.
