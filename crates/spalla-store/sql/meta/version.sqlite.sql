-- Differs once another connection has committed something.
pragma data_version
