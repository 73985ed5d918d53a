"""The gateway: the files of a cluster over HTTP, in the words of HDFS's WebHDFS."""
