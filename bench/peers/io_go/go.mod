module brigade.bench/io

go 1.20
