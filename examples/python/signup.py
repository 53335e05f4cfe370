"""A sign-up as durable code: a mail, an account, three days for an answer, an hour's wait, another mail. The process may die at any of these lines."""
import datetime

import orch


@orch.task()
def send_mail(task, input):
    """Sync: runs in a process of its own, and is killed where it outlives its timeout. A real one passes task.idempotency_key on to its mail service."""
    print(f"{input['template']} to {input['to']}")
    return {"message": task.idempotency_key}


@orch.workflow()
async def user_signup(ctx, input):
    async def create_account(connection):
        await connection.execute("insert into account (email, created_at) values (%s, now())", [input["email"]])
        return {"email": input["email"]}

    await ctx.step("send_mail", {"to": input["email"], "template": "welcome"}, retries=5)
    account = await ctx.step("create_account", create_account, transaction=True)  # its row and the step's record commit together: once
    confirmed = await ctx.signal("confirmed", timeout=datetime.timedelta(days=3))
    if confirmed is None:
        return {"confirmed": False}
    await ctx.wait(input.get("pause", 3600))
    await ctx.step("send_mail", {"to": account["email"], "template": "follow-up"})
    return {"confirmed": True, "code": confirmed["code"]}
