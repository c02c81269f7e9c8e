"""Problems that strategies are measured on; half of them are for choosing constants, the other half for reports."""
