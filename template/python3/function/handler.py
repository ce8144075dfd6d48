def handle(event, context):
    """Answer one request.

    event.body (bytes), event.headers, event.method, event.path and event.query are the request's;
    what is returned here becomes the reply.
    """
    return {
        "statusCode": 200,
        "body": "Hello from OpenFaaS Cloud!\n",
    }
