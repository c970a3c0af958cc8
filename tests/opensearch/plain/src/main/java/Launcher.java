import org.codelibs.opensearch.runner.OpenSearchRunner;

/** One OpenSearch node on 127.0.0.1, until it is killed. Arguments: HTTP port, data directory, NAME=VALUE of a cluster. */
public final class Launcher {
    private Launcher() {
    }

    public static void main(final String[] args) throws Exception {
        final String port = args[0];
        final OpenSearchRunner runner = new OpenSearchRunner();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> close(runner)));
        runner.onBuild((number, settings) -> {
            settings.put("network.host", "127.0.0.1");
            settings.put("http.port", port);
            settings.put("transport.port", "0");
            settings.put("discovery.type", "single-node");
            // The runner's own roles lack "ingest": without it no pipeline runs.
            settings.putList("node.roles", "cluster_manager", "data", "ingest");
            settings.put("cluster.routing.allocation.disk.threshold_enabled", "false");
            for (int i = 2; i < args.length; i++) {
                final String[] setting = args[i].split("=", 2);
                settings.put(setting[0], setting[1]);
            }
        }).build(OpenSearchRunner.newConfigs().basePath(args[1]).numOfNode(1).clusterName("email-report-tests"));
        Thread.currentThread().join();
    }

    private static void close(final OpenSearchRunner runner) {
        try {
            runner.close();
        } catch (final Exception e) {
            e.printStackTrace();
        }
    }
}
