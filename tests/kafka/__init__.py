"""A real Kafka broker for the tests, in KRaft mode, from Maven Central's jars."""
