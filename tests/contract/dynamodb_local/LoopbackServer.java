import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import software.amazon.dynamodb.services.local.server.LocalDynamoDBRequestHandler;
import software.amazon.dynamodb.services.local.server.LocalDynamoDBServerHandler;

/**
 * DynamoDB Local, in memory, on 127.0.0.1 and a free port, without telemetry. Its own command line listens on every address and has no
 * option against that, hence this: it puts AWS's request handler behind a server of its own.
 *
 * Writes "listening on <port>" and serves until its standard input ends: who started it takes it along, however that process ends.
 */
public final class LoopbackServer {
    private static final boolean IN_MEMORY = true;
    private static final boolean ONE_DATABASE_FOR_ALL = false; // one for each access key, as AWS has one for each account

    private LoopbackServer() {}

    public static void main(String[] arguments) throws Exception {
        Logger.getLogger("com.almworks.sqlite4java").setLevel(Level.WARNING);
        Server server = new Server(new InetSocketAddress(InetAddress.getByName("127.0.0.1"), 0));
        server.setHandler(
            new LocalDynamoDBServerHandler(
                new LocalDynamoDBRequestHandler(0, IN_MEMORY, null, ONE_DATABASE_FOR_ALL, false), null));
        server.start();
        System.out.println("listening on " + ((ServerConnector) server.getConnectors()[0]).getLocalPort());
        while (System.in.read() >= 0) {
            // Nothing is ever said; only the end matters.
        }
        Runtime.getRuntime().halt(0); // in memory: there is nothing to save
    }
}
