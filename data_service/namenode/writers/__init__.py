"""Files that are being written: who may, and what of them becomes visible when. All pure."""
