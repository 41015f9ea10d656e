import com.clickhouse.client.api.Client;
import com.clickhouse.client.api.ServerException;
import com.clickhouse.client.api.query.QueryResponse;
import com.clickhouse.data.ClickHouseFormat;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** The same questions as in answers.mjs and test_door_clients.py, asked by ClickHouse's Java client with its own defaults. */
public final class Answers {
    public static void main(String[] arguments) throws Exception {
        var builder = new Client.Builder()
                .addEndpoint(System.getenv("DOOR_URL"))
                .setUsername(System.getenv("DOOR_USER"))
                .setPassword(System.getenv("DOOR_PASSWORD"))
                .compressClientRequest(true);
        var table = System.getenv("DOOR_TABLE");
        try (Client client = builder.build()) {
            var row = client.queryAll("SELECT {a:Int64} AS n, {s:String} AS s, toDate('2026-01-02') AS d, [1, 2] AS l",
                    Map.of("a", 7, "s", "it's ü")).get(0);
            System.out.println(row.getLong("n") + "|" + row.getString("s") + "|" + row.getLocalDate("d") + "|" + row.getList("l"));
            var data = "1\tone\n2\ttwo\n".getBytes(StandardCharsets.UTF_8);
            try (var done = client.insert(table, new ByteArrayInputStream(data), ClickHouseFormat.TSV).get()) {
                System.out.println("written " + done.getWrittenRows());
            }
            try (QueryResponse reply = client.query("SELECT number FROM numbers(1000000)").get();
                    var reader = client.newBinaryFormatReader(reply)) {
                long count = 0, sum = 0;
                while (reader.next() != null) {
                    count++;
                    sum += reader.getLong(1);
                }
                System.out.println(count + " rows, sum " + sum);
            }
            try (var reply = client.query("SELECT nothing FROM nowhere").get()) {
                System.out.println("no error");
            } catch (ServerException refused) {
                System.out.println("error " + refused.getCode());
            }
        }
    }
}
